#pragma once
// Interrupt: Ctrl-C and SIGTERM end a command's waiting, so that it can say what it has.
//
// Threads: the handler only sets a flag and interrupts the client. One Interrupt at a time.

#include "client/cpp/client.hpp"

namespace scanmq::cli {

class Interrupt {
  public:
    // client may be null. It must outlive this.
    explicit Interrupt(client::Client* client);
    ~Interrupt();
    Interrupt(const Interrupt&) = delete;
    Interrupt& operator=(const Interrupt&) = delete;

    [[nodiscard]] bool requested() const noexcept;
};

}  // namespace scanmq::cli
