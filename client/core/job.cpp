#include "client/core/job.hpp"

namespace scanmq::client {

namespace {

std::uint64_t ceil_ms(Duration duration) {
    return static_cast<std::uint64_t>(
        std::chrono::ceil<std::chrono::milliseconds>(duration).count());
}

}  // namespace

std::unique_ptr<protocol::JobOptions> options_of(const Job& job) {
    const bool plain =
        job.priority == protocol::JobOptions::kDefaultPriority && job.delay == Duration{} &&
        job.deadline == Duration{} && job.conflate_key.empty() && job.flow.empty() && !job.pure &&
        !job.finish_late && !job.fresh && !job.sheddable && !job.as_of_ns && job.aliases.empty();
    if (plain) return nullptr;
    auto out = std::make_unique<protocol::JobOptions>();
    out->priority = job.priority;
    out->delay_ms = ceil_ms(job.delay);
    out->deadline_ms = ceil_ms(job.deadline);
    out->conflate_key = job.conflate_key;
    out->flow = job.flow;
    if (job.pure) {
        out->flags |= *job.pure ? protocol::JobOptions::kPure : protocol::JobOptions::kNotPure;
    }
    if (job.finish_late) out->flags |= protocol::JobOptions::kFinishLate;
    if (job.fresh) out->flags |= protocol::JobOptions::kFresh;
    if (job.sheddable) out->flags |= protocol::JobOptions::kSheddable;
    out->as_of_ns = job.as_of_ns;
    out->aliases.assign(job.aliases.begin(), job.aliases.end());
    return out;
}

}  // namespace scanmq::client
