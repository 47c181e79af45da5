#include "worker/core/credit_window.hpp"

#include <algorithm>

namespace scanmq::worker {

namespace {

// Weights of a new sample. Scans come by the thousand and vary; round trips come once a heartbeat.
constexpr double kServiceWeight = 1.0 / 16;
constexpr double kRoundTripWeight = 1.0 / 4;

void average(double& mean, Duration sample, double weight) noexcept {
    const double ns = std::max(0.0, static_cast<double>(sample.count()));
    mean = mean < 0.0 ? ns : mean + weight * (ns - mean);
}

}  // namespace

CreditWindow::CreditWindow(const Options& options)
    : options_(options), slots_(std::max(1U, options.threads)), window_(slots_ * 2) {
    options_.items_max = std::max(options_.items_max, slots_);
}

void CreditWindow::set_slots(std::uint32_t slots, bool ahead) noexcept {
    slots_ = slots;
    ahead_ = ahead;
}

void CreditWindow::restart() noexcept {
    limit_ = {};
    link_.reset();
    answered_ = {};
    reclaiming_ = false;
}

bool CreditWindow::receive(std::uint64_t items, std::uint64_t bytes) noexcept {
    return link_.receive({items, bytes});
}

void CreditWindow::add_service(Duration service) noexcept {
    average(service_ns_, service, kServiceWeight);
}

void CreditWindow::add_round_trip(Duration round_trip) noexcept {
    average(round_trip_ns_, round_trip, kRoundTripWeight);
}

std::uint32_t CreditWindow::items(std::uint32_t busy, Duration running_for) const noexcept {
    if (options_.always_full) return options_.items_max;
    const std::uint32_t slots = slots_ - std::min(busy, slots_);
    if (!ahead_) return slots;
    const std::uint32_t most = std::max(options_.items_max, slots);
    if (service_ns_ < 0.0 && running_for <= Duration{}) return std::min(slots * 2, most);
    const double service = std::max({service_ns_, static_cast<double>(running_for.count()), 1.0});
    const double round_trip =
        std::max(round_trip_ns_, static_cast<double>(options_.round_trip_min.count()));
    const double ahead = static_cast<double>(slots) * round_trip / service;
    const double room = static_cast<double>(most - slots);
    return slots + static_cast<std::uint32_t>(std::min(ahead, room));
}

void CreditWindow::grow(std::uint32_t busy, Duration running_for, protocol::Credit kept) noexcept {
    if (reclaiming_) return;
    window_ = items(busy, running_for);
    const std::uint64_t items = window_ - std::min<std::uint64_t>(window_, kept.items);
    const std::uint64_t bytes = options_.bytes - std::min(options_.bytes, kept.bytes);
    limit_.items = std::max(limit_.items, answered_.items + items);
    limit_.bytes = std::max(limit_.bytes, answered_.bytes + bytes);
}

bool CreditWindow::worth_announcing() const noexcept {
    if (reclaiming_) return false;
    const std::uint64_t step = std::max<std::uint64_t>(1, window_ / 4);
    return limit_.items - link_.limit().items >= step ||
           limit_.bytes - link_.limit().bytes >= options_.bytes / 4;
}

bool CreditWindow::worth_reclaiming(std::uint32_t window) const noexcept {
    if (reclaiming_ || unused() == 0) return false;
    const std::uint64_t granted = link_.limit().items - answered_.items;
    return granted > window && granted - window >= std::max<std::uint64_t>(1, window / 4);
}

bool CreditWindow::reclaimed(protocol::Credit sent) noexcept {
    if (!reclaiming_ || !protocol::covers(sent, link_.received()) ||
        !protocol::covers(link_.limit(), sent)) {
        return false;
    }
    reclaiming_ = false;
    link_.reclaimed(sent);
    limit_ = link_.limit();
    return true;
}

}  // namespace scanmq::worker
