#pragma once
// Outbox: gives outgoing messages their envelope and puts them among the effects.
//
// Role:      owned by ClientCore; its parts send through it.
// Threads:   the core's.
// Invariant: a socket's seq rises with every frame and starts from 1 on every new connection.

#include <cstdint>
#include <utility>

#include "client/core/effects.hpp"

namespace scanmq::client {

class Outbox {
  public:
    explicit Outbox(protocol::Roles roles) : roles_(roles) {}

    // Where effects go until the next call. Called at every entry of the core.
    void bind(Effects& effects) noexcept { effects_ = &effects; }
    void set_session(protocol::SessionId session) noexcept { session_ = session; }
    void reset(Socket socket) noexcept { seq(socket) = 0; }

    // Sends in the current session (in none before WELCOME); returns the frame's seq.
    std::uint64_t send(Socket socket, protocol::Message message) {
        const std::uint64_t number = ++seq(socket);
        effects_->actions.emplace_back(
            Outgoing{socket, {roles_, session_, number}, std::move(message)});
        return number;
    }
    std::uint64_t main(protocol::Message message) { return send(Socket::main, std::move(message)); }
    std::uint64_t blob(protocol::Message message) { return send(Socket::blob, std::move(message)); }
    void act(Action action) { effects_->actions.push_back(std::move(action)); }
    void stamp(const JobStamped& stamp) { effects_->stamps.push_back(stamp); }
    void notify(Notice notice) { effects_->notices.push_back(std::move(notice)); }

    [[nodiscard]] std::vector<Notice>& notices() noexcept { return effects_->notices; }
    [[nodiscard]] std::uint64_t last_seq(Socket socket) const noexcept {
        return socket == Socket::main ? main_seq_ : blob_seq_;
    }
    [[nodiscard]] protocol::SessionId session() const noexcept { return session_; }

  private:
    std::uint64_t& seq(Socket socket) noexcept {
        return socket == Socket::main ? main_seq_ : blob_seq_;
    }

    protocol::Roles roles_;
    protocol::SessionId session_;
    std::uint64_t main_seq_ = 0;
    std::uint64_t blob_seq_ = 0;
    Effects* effects_ = nullptr;
};

}  // namespace scanmq::client
