#pragma once
// Result<T, E>: a value or an expected failure. GCC 12 has no std::expected.
//
// Use:     Result<Chain, market::Error> r = read(...); if (!r) return fail(std::move(r).error());
// Errors:  value() and error() assert that they are there: asking for the wrong one is our own
//          mistake.

#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "common/base/assert.hpp"

namespace scanmq {

template <class E>
struct Failure {
    E error;
};

template <class E>
[[nodiscard]] Failure<std::decay_t<E>> fail(E&& error) {
    return {std::forward<E>(error)};
}

template <class T, class E>
class [[nodiscard]] Result {
  public:
    using value_type = T;
    using error_type = E;

    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT
    Result(Failure<E> failure)
        : state_(std::in_place_index<1>, std::move(failure.error)) {}  // NOLINT

    [[nodiscard]] bool ok() const noexcept { return state_.index() == 0; }
    explicit operator bool() const noexcept { return ok(); }

    [[nodiscard]] T& value() & {
        SCANMQ_ASSERT(ok());
        return *std::get_if<0>(&state_);
    }
    [[nodiscard]] const T& value() const& {
        SCANMQ_ASSERT(ok());
        return *std::get_if<0>(&state_);
    }
    [[nodiscard]] T&& value() && {
        SCANMQ_ASSERT(ok());
        return std::move(*std::get_if<0>(&state_));
    }
    [[nodiscard]] const E& error() const& {
        SCANMQ_ASSERT(!ok());
        return *std::get_if<1>(&state_);
    }
    [[nodiscard]] E&& error() && {
        SCANMQ_ASSERT(!ok());
        return std::move(*std::get_if<1>(&state_));
    }
    [[nodiscard]] T& operator*() & { return value(); }
    [[nodiscard]] const T& operator*() const& { return value(); }
    [[nodiscard]] T* operator->() { return &value(); }
    [[nodiscard]] const T* operator->() const { return &value(); }

  private:
    std::variant<T, E> state_;
};

template <class E>
class [[nodiscard]] Result<void, E> {
  public:
    using value_type = void;
    using error_type = E;

    Result() = default;
    Result(Failure<E> failure) : error_(std::move(failure.error)) {}  // NOLINT

    [[nodiscard]] bool ok() const noexcept { return !error_.has_value(); }
    explicit operator bool() const noexcept { return ok(); }
    [[nodiscard]] const E& error() const& {
        SCANMQ_ASSERT(!ok());
        return *error_;
    }
    [[nodiscard]] E&& error() && {
        SCANMQ_ASSERT(!ok());
        return std::move(*error_);
    }

  private:
    std::optional<E> error_;
};

}  // namespace scanmq
