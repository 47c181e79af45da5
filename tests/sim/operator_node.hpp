#pragma once
// OperatorNode: somebody who deletes queues and makes them anew, and changes their room.

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "tests/sim/client_node.hpp"
#include "tests/sim/fleet.hpp"

namespace scanmq::sim {

class OperatorNode final : public ClientNode {
  public:
    OperatorNode(World& world, Network& network, Oracle& oracle, const Options& options,
                 Fleet& fleet, Work& work, std::vector<std::string> queues,
                 protocol::Settings settings);

    // Deletes a queue, by force or not, and makes it again a little later.
    void delete_one();
    void alter_one();
    void limit_flow();
    // Sets a queue's scanner version, or lets it follow its workers.
    void version_one();
    // Moves an alias, or takes it away.
    void move_alias();
    // Sets or drops a standing scan.
    void standing_one();
    void remove_aliases();
    // Pauses, drains or purges one; the first two are taken back a little later.
    void control_one();
    void retry_dead();
    void cancel(const std::string& queue, const Id128& id);
    // Every queue has to be there again.
    void restore();
    [[nodiscard]] bool idle() const;
    // Deletes all of them, without force: nothing lives in them any more.
    void delete_all();
    [[nodiscard]] std::uint64_t deleted() const noexcept { return deleted_; }

  protected:
    void on_request(client::RequestDone& done) override;

  private:
    // name: of the queue, alias or standing scan that the message is about.
    void request(const std::string& name, protocol::Message message);
    void create(const std::string& queue);
    void set_version(const std::string& queue, const std::string& version);

    void set_alias(const std::string& alias, bool remove);
    void set_standing(const std::string& name);
    void answered_alias(const std::string& alias, const client::RequestDone& done,
                        const ContentId& id);
    void answered_standing(const std::string& name, const client::RequestDone& done,
                           const std::string& queue);

    Fleet& fleet_;
    Work& work_;
    std::vector<std::string> queues_;
    protocol::Settings settings_;
    struct Asked {
        std::string name;  // of a queue, an alias or a standing scan
        protocol::Kind kind{};
        bool last{};             // of delete_all()
        std::string version{};   // that a queue is to have
        std::string runs_in{};   // the queue of a standing scan
        ContentId content_id{};  // of an alias
    };
    std::map<std::uint64_t, Asked> asked_;
    std::map<std::string, bool> missing_;
    std::map<std::string, int> version_requests_;  // under way
    bool last_ = false;
    bool restoring_ = false;
    std::map<std::string, int> requests_of_;  // under way: aliases, standing scans
    std::deque<std::string> payloads_;        // of standing scans
    std::uint64_t waiting_ = 0;               // for room to put a snapshot
    std::uint64_t deleted_ = 0;
};

}  // namespace scanmq::sim
