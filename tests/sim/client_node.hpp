#pragma once
// ClientNode: the client library's shell around the real core, as client/cpp: wire, steps, call-backs.
//
// Role:    base of producers, subscribers and the operator, which are the program on top of it.
// Checks:  credit on the results link: no more entries and bytes arrive than were granted.

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "client/core/client_core.hpp"
#include "common/protocol/codec.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/node.hpp"
#include "tests/sim/oracle.hpp"

namespace scanmq::sim {

class ClientNode : public Node {
  public:
    ClientNode(World& world, Network& network, Oracle& oracle, const Options& options,
               std::string name, protocol::Roles roles);

    virtual void start();
    virtual void crash();
    [[nodiscard]] bool running() const noexcept { return process_ != nullptr; }
    [[nodiscard]] Dealer& dealer() noexcept { return dealer_; }
    // What hangs, for a liveness failure.
    [[nodiscard]] std::string session_state() const;

  protected:
    struct Incoming {
        std::string bytes;
        protocol::Frame frame;
    };

    void turn() final;
    // Before what was stamped is sent.
    virtual void on_stamp(const client::JobStamped&) {}
    // What the program does in a turn, behind what came in.
    virtual void program() {}
    virtual void on_answers(const client::JobsAnswered&) {}
    virtual void on_entries(const client::EntriesArrived&, const protocol::Results&) {}
    virtual void on_change(std::uint64_t /*subscription*/) {}
    virtual void on_request(client::RequestDone&) {}
    // An outgoing message, before it is encoded.
    virtual void on_send(const protocol::Message&) {}

    [[nodiscard]] client::ClientCore& core() { return process_->core; }
    [[nodiscard]] client::Effects& effects() { return process_->effects; }
    [[nodiscard]] client::Now client_now() const { return {now(), wall()}; }
    // Carries out what a call of the core brought.
    void commit();

    Network& network_;
    Oracle& oracle_;
    const Options& options_;

  private:
    struct Process {
        explicit Process(const client::CoreOptions& o) : core(o) {}
        client::ClientCore core;
        client::Effects effects;
        std::deque<std::string> kept;
        std::uint64_t generation = 0;
        protocol::Decoder decoder;
        std::vector<client::Event> events;
        std::vector<std::unique_ptr<Incoming>> incoming;
        std::string scratch;
    };
    struct Window {
        protocol::Credit limit;
        protocol::Credit received;
    };

    void perform();
    void send(ByteView frame);
    void receive();
    void notify();
    void watch_out(const client::Outgoing& out);
    void watch_in(const protocol::Results& results);

    protocol::Roles roles_;
    Dealer dealer_;
    std::uint64_t starts_ = 0;
    std::unique_ptr<Process> process_;
    std::map<std::uint64_t, Window> windows_;  // by subscription, of this session
};

}  // namespace scanmq::sim
