#include "client/cli/interrupt.hpp"

#include <atomic>
#include <csignal>

#include "common/base/assert.hpp"

namespace scanmq::cli {
namespace {

std::atomic<bool> requested_{false};
std::atomic<client::Client*> client_{nullptr};
std::atomic<bool> installed_{false};

void on_signal(int) {
    requested_.store(true);
    if (client::Client* client = client_.load()) client->interrupt();
}

void set_handler(void (*handler)(int), unsigned flags) {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = static_cast<int>(flags);
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

Interrupt::Interrupt(client::Client* client) {
    SCANMQ_ASSERT(!installed_.exchange(true));
    requested_.store(false);
    client_.store(client);
    set_handler(on_signal, SA_RESETHAND);  // the second Ctrl-C ends the program at once
}

Interrupt::~Interrupt() {
    set_handler(SIG_DFL, 0);
    client_.store(nullptr);
    installed_.store(false);
}

bool Interrupt::requested() const noexcept { return requested_.load(); }

}  // namespace scanmq::cli
