// Oracle's part for results: what they were made of, and whether that is what was asked for.

#include "tests/sim/oracle.hpp"

namespace scanmq::sim {

void Oracle::check_result(const std::string& what, const std::string& payload,
                          const ModelOrigin& origin, ByteView body) const {
    if (body == result_of(payload, origin.version, origin.inputs)) return;
    // Work that is not pure, and that of a queue without a version, runs anywhere.
    if (origin.fingerprint.is_zero() || origin.version.empty()) {
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

void Oracle::sets_version(const std::string& queue) {
    versions_[queue] = {std::nullopt, world_.now()};
}

void Oracle::version_set(const std::string& queue, const std::string& version) {
    versions_[queue].first = version;
    check_versions();
}

void Oracle::sets_alias(const std::string& alias) { alias_told_.erase(alias); }

void Oracle::alias_set(const std::string& alias, const ContentId& id) {
    alias_told_[alias] = id;
    check_told();
}

void Oracle::sets_standing(const std::string& name) {
    standing_told_[name] = {std::nullopt, world_.now()};
}

void Oracle::standing_set(const std::string& name, const std::string& queue) {
    standing_told_[name].first = queue;
    check_told();
}

void Oracle::check_told() const {
    for (const auto& [alias, id] : alias_told_) {
        if (scans_.alias(alias).value_or(ContentId{}) != *id) {
            world_.fail("an operator was told that '" + alias + "' names " + id->hex() +
                        "; by its records it does not");
        }
    }
    for (const auto& [name, told] : standing_told_) {
        if (!told.first) continue;
        const std::string& queue = *told.first;
        if (!queue.empty() && deleted_since(queue, told.second)) continue;
        bool there = false;
        for (const auto& [key, scan] : scans_.standing()) {
            if (key.second != name) continue;
            if (scan.queue == queue) there = true;
            // A crash may leave it in two queues, until the broker is up again.
            if (queue.empty())
                world_.fail("standing scan '" + name + "' was dropped, and is there");
        }
        if (!there && !queue.empty()) {
            world_.fail("an operator was told that standing scan '" + name + "' of '" + queue +
                        "' is set; it has no records");
        }
    }
}

}  // namespace scanmq::sim
