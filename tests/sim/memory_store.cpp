// MemoryStore: the `memory` engine; a broker on it does not crash in the simulation, as everything
// would be lost by right.

#include "broker/store/memory_log.hpp"
#include "tests/sim/store.hpp"

namespace scanmq::sim {
namespace {

class MemoryStore final : public Store {
  public:
    bool survives() const override { return false; }
    bool start(std::function<void()> wake) override {
        ++epoch_;
        log_ = std::make_unique<broker::MemoryLog>();
        log_->set_wake(std::move(wake));
        return true;
    }
    void crash() override { log_.reset(); }
    broker::CommitLog& log() override { return *log_; }
    std::uint64_t epoch() const override { return epoch_; }
    void restore(broker::BrokerCore&, broker::BodyStore&, Time) override {}

  private:
    std::unique_ptr<broker::MemoryLog> log_;
    std::uint64_t epoch_ = 0;
};

}  // namespace

std::unique_ptr<Store> make_memory_store() { return std::make_unique<MemoryStore>(); }

}  // namespace scanmq::sim
