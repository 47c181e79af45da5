#pragma once
// Document: reading nlohmann documents strictly. Private to the codecs of scanner/service and
//           scanner/api: the only header with nlohmann.
//
// Errors:  the first one is kept by the Reader; after it, reads give defaults and change nothing.
// Threads: one Reader a document.

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/nearest.hpp"
#include "common/base/result.hpp"
#include "scanner/service/codec.hpp"

namespace scanmq::service {

using Json = nlohmann::json;

// JSON text when the first byte that is not a blank is '{', else msgpack. Errors: malformed.
[[nodiscard]] Result<Json, Error> parse_document(ByteView bytes);
// NaN and infinities become null.
[[nodiscard]] Json number_or_null(double value);
[[nodiscard]] std::string print_document(const Json& document, Encoding encoding);

// Collects the first error of a document, with the path of the field it is about.
class Reader {
  public:
    explicit Reader(ErrorCode code) : code_(code) {}

    [[nodiscard]] bool ok() const noexcept { return !error_; }
    [[nodiscard]] Error error() const { return *error_; }
    void refuse(std::string message) {
        if (!error_) error_ = Error{code_, std::move(message)};
    }

  private:
    ErrorCode code_;
    std::optional<Error> error_;
};

// One map of a document. `where` names it in messages ("the request", "spreads[3]").
class Fields {
  public:
    Fields(Reader& reader, const Json& map, std::string where,
           std::initializer_list<std::string_view> known)
        : reader_(reader), map_(map), where_(std::move(where)) {
        if (!map.is_object()) {
            reader_.refuse(fmt::format("{} must be a map", where_));
            return;
        }
        const std::vector<std::string_view> names(known);
        for (const auto& item : map.items()) {
            if (std::find(names.begin(), names.end(), item.key()) != names.end()) continue;
            reader_.refuse(fmt::format("{} has no field \"{}\"; did you mean \"{}\"?", where_,
                                       item.key().substr(0, 64), nearest_name(item.key(), names)));
        }
    }

    // nullptr where it is absent.
    [[nodiscard]] const Json* find(const char* key) const {
        if (!map_.is_object()) return nullptr;
        const auto at = map_.find(key);
        return at == map_.end() ? nullptr : &*at;
    }
    [[nodiscard]] std::string path(const char* key) const {
        return fmt::format("\"{}\" of {}", key, where_);
    }
    void refuse(const char* key, std::string_view expected) const {
        reader_.refuse(fmt::format("{} must be {}", path(key), expected));
    }

    // Each leaves `out` alone where the field is absent.
    void text(const char* key, std::string& out) const {
        const Json* value = find(key);
        if (value == nullptr) return;
        if (!value->is_string()) return refuse(key, "a text");
        out = value->get_ref<const std::string&>();
    }
    void flag(const char* key, bool& out) const {
        const Json* value = find(key);
        if (value == nullptr) return;
        if (!value->is_boolean()) return refuse(key, "true or false");
        out = value->get<bool>();
    }
    void number(const char* key, double& out) const {
        const Json* value = find(key);
        if (value == nullptr) return;
        if (!value->is_number()) return refuse(key, "a number");
        out = value->get<double>();
    }
    // null reads as NaN.
    void number_or_nan(const char* key, double& out) const {
        const Json* value = find(key);
        if (value != nullptr && value->is_null()) {
            out = std::numeric_limits<double>::quiet_NaN();
            return;
        }
        number(key, out);
    }
    template <class Integer>
    void integer(const char* key, Integer& out) const {
        integer_within(key, out, std::numeric_limits<Integer>::min(),
                       std::numeric_limits<Integer>::max());
    }
    template <class Integer>
    void integer_within(const char* key, Integer& out, Integer min, Integer max) const {
        const Json* value = find(key);
        if (value == nullptr) return;
        const Integer number = fits<Integer>(*value) ? value->get<Integer>() : Integer{};
        if (!fits<Integer>(*value) || number < min || number > max) {
            return refuse(key, fmt::format("a whole number from {} to {}", min, max));
        }
        out = number;
    }
    // Calls read(element, "key[i]") for each element of a list.
    void list(const char* key,
              const std::function<void(const Json&, const std::string&)>& read) const {
        const Json* value = find(key);
        if (value == nullptr) return;
        if (!value->is_array()) return refuse(key, "a list");
        std::size_t i = 0;
        for (const Json& element : *value) {
            if (!reader_.ok()) return;
            read(element, fmt::format("{}[{}]", key, i++));
        }
    }

  private:
    template <class Integer>
    static bool fits(const Json& value) {
        if (value.is_number_unsigned()) {
            return value.get<std::uint64_t>() <=
                   static_cast<std::uint64_t>(std::numeric_limits<Integer>::max());
        }
        if (!value.is_number_integer()) return false;
        const auto number = value.get<std::int64_t>();
        if (number < 0 && std::numeric_limits<Integer>::min() == 0) return false;
        return std::in_range<Integer>(number);
    }

    Reader& reader_;
    const Json& map_;
    std::string where_;
};

}  // namespace scanmq::service
