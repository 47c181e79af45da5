#pragma once
// AliasHandler: ALIAS_SET, and the rows of aliases that nobody needs any more.
//
// Threads: broker loop only. Borrows: CoreState (outlives this).
// Limits:  options.aliases_max, alias_history_max.
// See:     docs/PROTOCOL.md, section 9

#include "broker/core/core_state.hpp"

namespace scanmq::broker {

class AliasHandler {
  public:
    explicit AliasHandler(CoreState& state) : state_(&state) {}

    void set(Session& session, const protocol::Header& header, const protocol::AliasSet& message);
    // Before the commits of a call: tells what groups that ended let go.
    void tell_gone() {
        if (state_->aliases.any_gone()) tell_each_gone();
    }

  private:
    void tell_each_gone();
    void count_dropped();

    CoreState* state_;
    std::uint64_t dropped_told_ = 0;
};

}  // namespace scanmq::broker
