#include "scanner/service/document.hpp"

namespace scanmq::service {
namespace {

// Builds a document from parser events and stops at the first thing that is not allowed, so that
// depth and size are bounded before memory is spent.
class Builder final : public nlohmann::json_sax<Json> {
  public:
    bool null() override { return put(Json(nullptr)); }
    bool boolean(bool value) override { return put(Json(value)); }
    bool number_integer(number_integer_t value) override { return put(Json(value)); }
    bool number_unsigned(number_unsigned_t value) override { return put(Json(value)); }
    bool number_float(number_float_t value, const string_t& /*text*/) override {
        if (!std::isfinite(value)) return stop("a number that is not finite");
        return put(Json(value));
    }
    bool string(string_t& value) override { return put(Json(std::move(value))); }
    bool binary(binary_t& /*value*/) override { return stop("binary data"); }
    bool start_object(std::size_t /*size*/) override { return open(Json::object()); }
    bool key(string_t& value) override {
        if (++elements_ > kElementsMax) return stop("too many values");
        if (open_.back()->contains(value)) return stop("a key given twice");
        key_ = std::move(value);
        return true;
    }
    bool end_object() override { return close(); }
    bool start_array(std::size_t /*size*/) override { return open(Json::array()); }
    bool end_array() override { return close(); }
    bool parse_error(std::size_t position, const std::string& /*token*/,
                     const nlohmann::detail::exception& /*error*/) override {
        return stop(fmt::format("a syntax error at byte {}", position));
    }

    [[nodiscard]] Json take() { return std::move(root_); }
    [[nodiscard]] const std::string& problem() const { return problem_; }

  private:
    bool stop(std::string problem) {
        if (problem_.empty()) problem_ = std::move(problem);
        return false;
    }
    bool put(Json value) { return place(std::move(value)) != nullptr; }
    bool open(Json container) {
        if (open_.size() >= kDepthMax) return stop("nesting too deep");
        Json* placed = place(std::move(container));
        if (placed == nullptr) return false;
        open_.push_back(placed);
        return true;
    }
    bool close() {
        open_.pop_back();
        return true;
    }
    Json* place(Json value) {
        if (++elements_ > kElementsMax) {
            stop("too many values");
            return nullptr;
        }
        if (open_.empty()) {
            root_ = std::move(value);
            return &root_;
        }
        Json& parent = *open_.back();
        if (parent.is_array()) {
            parent.push_back(std::move(value));
            return &parent.back();
        }
        return &(parent[std::exchange(key_, {})] = std::move(value));
    }

    Json root_;
    // Pointers stay good: a container grows only while no child of it is open.
    std::vector<Json*> open_;
    std::string key_;
    std::size_t elements_ = 0;
    std::string problem_;
};

}  // namespace

Result<Json, Error> parse_document(ByteView bytes) {
    const std::size_t start = bytes.find_first_not_of(" \t\r\n");
    const bool text = start != ByteView::npos && bytes[start] == '{';
    Builder builder;
    const bool parsed =
        Json::sax_parse(bytes.begin(), bytes.end(), &builder,
                        text ? Json::input_format_t::json : Json::input_format_t::msgpack);
    if (parsed) return builder.take();
    return fail(
        Error{ErrorCode::malformed, fmt::format("not a {} document of ours: {}",
                                                text ? "JSON" : "msgpack", builder.problem())});
}

Json number_or_null(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

std::string print_document(const Json& document, Encoding encoding) {
    if (encoding == Encoding::json) {
        return document.dump(-1, ' ', false, Json::error_handler_t::replace);
    }
    std::string out;
    Json::to_msgpack(document, out);
    return out;
}

}  // namespace scanmq::service
