#include "broker/core/queue_settings.hpp"

#include <algorithm>

namespace scanmq::broker {

Result<QueueSettings, std::string> with_changes(const QueueSettings& base,
                                                const protocol::Settings& changes) {
    QueueSettings settings = base;
    for (const auto& [name, value] : changes) {
        const auto* const setting =
            std::find_if(kQueueSettings.begin(), kQueueSettings.end(),
                         [&name = name](const QueueSetting& s) { return s.name == name; });
        if (setting == kQueueSettings.end()) {
            std::string sentence = "unknown setting '" + name + "'; known:";
            for (const QueueSetting& known : kQueueSettings)
                sentence.append(" ").append(known.name);
            return fail(std::move(sentence));
        }
        if (value < setting->least || value > setting->most) {
            return fail(name + " is " + std::to_string(value) + "; it must be " +
                        std::to_string(setting->least) + " to " + std::to_string(setting->most));
        }
        settings.*(setting->value) = value;
    }
    return settings;
}

}  // namespace scanmq::broker
