#pragma once
// StrongId<Tag, Rep>: an integer id that does not mix with others.

#include <cstdint>
#include <functional>

namespace scanmq {

template <class Tag, class Rep = std::uint64_t>
struct StrongId {
    Rep value{};

    friend constexpr auto operator<=>(const StrongId&, const StrongId&) = default;
};

}  // namespace scanmq

template <class Tag, class Rep>
struct std::hash<scanmq::StrongId<Tag, Rep>> {
    std::size_t operator()(scanmq::StrongId<Tag, Rep> id) const noexcept {
        return std::hash<Rep>{}(id.value);
    }
};
