#pragma once
// ProducerNode: a program that submits jobs, some of them in groups, and remembers what is unanswered.
//
// Memory:  jobs are kept on a disk of its own from when they have an id, the program's or the core's,
//          until they are answered: after a crash they are submitted again, unless the memory went
//          with it.
// Groups:  opened, filled, sealed with what was taken. A group that its program forgot stays open and
//          ends incomplete.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/client_node.hpp"

namespace scanmq::sim {

class ProducerNode final : public ClientNode {
  public:
    ProducerNode(World& world, Network& network, Oracle& oracle, const Options& options, Work& work,
                 std::string name, std::vector<std::string> queues);

    void start() override;
    // Submits this many jobs in the time to come, in bursts.
    void plan(std::uint32_t jobs, Duration over);
    void crash_and_restart(Duration down, bool forget);
    // No fault happens any more: groups are sealed, nothing new begins.
    void finish() noexcept { finishing_ = true, wake(); }
    [[nodiscard]] bool idle() const;
    [[nodiscard]] std::string state() const;
    // Some job that was submitted, for a cancel; false: none.
    [[nodiscard]] bool any_job(std::string& queue, Id128& id);

  protected:
    void program() override;
    void on_stamp(const client::JobStamped& stamp) override;
    void on_answers(const client::JobsAnswered& answered) override;
    void on_request(client::RequestDone& done) override;
    void on_send(const protocol::Message& message) override;

  private:
    struct Spec {
        std::string queue;
        std::string subject;
        std::string payload;
        Id128 id;  // zero: the core's
        Id128 group;
        std::uint32_t priority = protocol::JobOptions::kDefaultPriority;
        Duration delay{};
        Duration deadline{};
        std::string conflate_key;
        std::string flow;
        std::optional<bool> pure;
        std::string inputs;
        std::vector<std::string> aliases;
        bool fresh{};
        bool finish_late{};
        bool sheddable{};
        bool restored{};  // from the memory of an earlier process
        bool again{};     // an earlier submission was answered
    };
    enum class Phase : std::uint8_t { opening, filling, sealing };
    struct Group {
        std::string queue;
        Phase phase = Phase::opening;
        std::uint64_t request{};     // under way
        std::uint32_t left{};        // jobs still to be submitted
        std::map<Id128, bool> jobs;  // answered?
        std::uint64_t taken{};
    };

    void burst();
    void submit_some(std::uint32_t count);
    void draw_options(Spec& spec);
    void submit(Spec spec);
    bool hand_over(const Spec& spec);
    void put_again(const Spec& spec);
    void open_group(const std::string& queue, std::uint32_t jobs);
    void advance(const Id128& id, Group& group);
    [[nodiscard]] std::string any_subject();

    Work& work_;
    std::vector<std::string> queues_;
    UuidV7 ids_;
    bool finishing_ = false;
    std::uint32_t planned_ = 0;
    Duration pace_{};
    std::vector<std::pair<std::string, Id128>> submitted_;  // by explicit id

    // On disk.
    std::map<std::pair<std::string, Id128>, Spec> memory_;
    std::map<Id128, Group> groups_;

    // Of this process.
    std::map<std::string, std::uint32_t> producers_;  // by queue
    std::map<std::uint32_t, std::map<std::uint64_t, Spec>> tickets_;
    std::vector<Spec> waiting_;  // the buffer was full
    std::map<std::uint64_t, Id128> requests_;
};

}  // namespace scanmq::sim
