#include "scanner/server/batch_table.hpp"

namespace scanmq::scand {

BatchTable::Held BatchTable::find(std::string_view id) const {
    const auto at = scans_.find(std::string(id));
    return at == scans_.end() ? nullptr : at->second;
}

void BatchTable::keep(const Held& scan) {
    finished_.push_back(scan);
    bytes_ += scan->spreads.size();
    while (finished_.size() > results_max_ || bytes_ > results_bytes_) {
        const Held oldest = finished_.front();
        finished_.pop_front();
        bytes_ -= oldest->spreads.size();
        scans_.erase(oldest->id);
        ++evictions_;
    }
}

}  // namespace scanmq::scand
