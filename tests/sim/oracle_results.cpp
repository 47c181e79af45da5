// Oracle's part for results: what they were made of, and whether that is what was asked for.

#include "tests/sim/oracle.hpp"

namespace scanmq::sim {

void Oracle::check_result(const std::string& what, const std::string& payload,
                          const ModelOrigin& origin, ByteView body) const {
    if (body == result_of(payload, origin.version, origin.inputs)) return;
    // Work that is not pure, and that of a queue without a version, runs anywhere.
    if (!origin.pure || origin.version.empty()) {
        for (std::uint32_t i = 0; i <= options_.versions; ++i) {
            const std::string version = i == 0 ? "" : std::to_string(i);
            if (body == result_of(payload, version, origin.inputs)) return;
        }
    }
    world_.fail(what + "a result that is not its payload's: '" + std::string(body.substr(0, 60)) +
                "' instead of '" + result_of(payload, origin.version, origin.inputs).substr(0, 60) +
                (origin.ran ? "', it ran" : "', which was kept"));
}

void Oracle::check_versions() const {
    for (const auto& [queue, told] : versions_) {
        if (!told.first || deleted_since(queue, told.second)) continue;
        const ModelPartition* const part = model_.find(queue);
        if (part == nullptr) continue;
        const std::string& version = *told.first;
        if (part->version_pinned == version.empty() ||
            (!version.empty() && part->version != version)) {
            world_.fail("an operator was told that the version of '" + queue + "' is '" + version +
                        "'; by its records it is '" + part->version + "'" +
                        (part->version_pinned ? ", pinned" : ", and follows the workers"));
        }
    }
}

}  // namespace scanmq::sim
