#include "broker/core/flow_limits.hpp"

#include <algorithm>

namespace scanmq::broker {

Result<FlowLimits, std::string> with_changes(const FlowLimits& base,
                                             const protocol::Settings& changes) {
    FlowLimits limits = base;
    for (const auto& [name, value] : changes) {
        const auto* const limit =
            std::find_if(kFlowLimits.begin(), kFlowLimits.end(),
                         [&name = name](const FlowLimit& one) { return one.name == name; });
        if (limit == kFlowLimits.end()) {
            std::string sentence = "unknown limit '" + name + "'; known:";
            for (const FlowLimit& known : kFlowLimits) sentence.append(" ").append(known.name);
            return fail(std::move(sentence));
        }
        if (value < limit->least || value > limit->most) {
            return fail(name + " is " + std::to_string(value) + "; it must be " +
                        std::to_string(limit->least) + " to " + std::to_string(limit->most));
        }
        limits.*(limit->value) = value;
    }
    return limits;
}

std::vector<SettingRow> limit_rows(const FlowLimits& limits) {
    std::vector<SettingRow> rows;
    for (const FlowLimit& limit : kFlowLimits) rows.push_back({limit.name, limits.*(limit.value)});
    return rows;
}

}  // namespace scanmq::broker
