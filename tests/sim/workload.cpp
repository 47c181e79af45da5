#include "tests/sim/workload.hpp"

namespace scanmq::sim {

Behaviour behaviour_of(ByteView payload) {
    return payload.empty() ? Behaviour::plain : static_cast<Behaviour>(payload.front());
}

std::string result_of(ByteView payload, ByteView scanner_version, ByteView inputs) {
    // Some are empty, some large.
    const std::size_t kind = payload.size() % 7;
    if (kind == 0 && inputs.empty()) return {};
    std::string out = "result of ";
    out.append(payload.substr(0, payload.find('|')));
    out.append(" by ").append(scanner_version);
    if (!inputs.empty()) out.append(" on ").append(std::to_string(std::hash<ByteView>{}(inputs)));
    if (kind == 1) out.append(payload.size() * 2, 'x');
    return out;
}

Work::Request Work::any_request(std::uint32_t aliases) {
    const std::uint64_t number = world_.rng.below(6);
    Request out;
    out.payload = "d" + std::to_string(1'000'000 + number) + '|' + std::string(number * 3, '.');
    out.aliases.push_back(alias_name(number % aliases));
    if (number >= 3 && aliases > 1) out.aliases.push_back(alias_name((number + 1) % aliases));
    if (number == 5) out.inputs = std::string(Snapshots::id(0).view());
    return out;
}

std::string Work::next_payload() {
    Rng& rng = world_.rng;
    if (!plain_.empty() && world_.chance(faults_.pure_share)) {
        // Often the last one, which is likely to be under way.
        return world_.chance(0.3) ? plain_.back() : plain_[rng.below(plain_.size())];
    }
    char kind = 'd';
    double dice = rng.uniform();
    const auto share = [&](double p, char letter) {
        if (dice >= 0.0 && dice < p) kind = letter;
        dice -= p;
    };
    share(faults_.fail_share * 0.8, 'f');
    share(faults_.fail_share * 0.2, 'F');
    share(faults_.reject_share, 'r');
    share(faults_.slow_share, 's');
    share(faults_.wedge_share, 'w');
    share(faults_.poison_share, 'p');
    std::string payload = kind + std::to_string(++number_) + '|';
    const std::uint64_t most = world_.chance(faults_.large_share) ? 100'000 : 200;
    payload.append(rng.below(most), '.');
    if (kind == 'd') plain_.push_back(payload);
    if (plain_.size() > kAgainMax) plain_.pop_front();
    return payload;
}

}  // namespace scanmq::sim
