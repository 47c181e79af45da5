#pragma once
// Error: why the scan API refuses, as its clients read it.
//
// Threads: values.

#include <string>

#include "common/base/result.hpp"
#include "scanner/service/request.hpp"

namespace scanmq::api {

struct Error {
    int status = 400;      // of HTTP
    std::string code;      // one word, for programs: docs/HTTP_API.md lists them
    std::string sentence;  // what is wrong and what to write instead
    std::string field;     // "filters[2].params.min"; empty where it is about no field
};

// {"error": {"code", "sentence", "field"}}, without an empty field.
[[nodiscard]] std::string error_document(const Error& error);
// What the engine refuses, for HTTP: 422, but 499 for a cancelled scan.
[[nodiscard]] Error error_of(const service::Error& error);

}  // namespace scanmq::api
