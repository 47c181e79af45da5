#include "worker/remote/snapshot_puts.hpp"

#include <algorithm>

#include "common/base/assert.hpp"

namespace scanmq::worker {

void SnapshotPuts::want(Waiter waiter, std::span<const std::shared_ptr<Input>> inputs) {
    SCANMQ_ASSERT(!inputs.empty() && !missing_.contains(waiter));
    std::size_t missing = 0;
    for (const std::shared_ptr<Input>& input : inputs) {
        const auto [at, fresh] = under_way_.try_emplace(input->id());
        Put& put = at->second;
        if (std::find(put.waiters.begin(), put.waiters.end(), waiter) != put.waiters.end()) {
            continue;  // a job may name a snapshot twice
        }
        put.waiters.push_back(waiter);
        ++missing;
        if (!fresh) continue;
        put.input = input;
        ++puts_;
        bytes_ += raw_bytes(*input).size();
        std::string headers;
        http::add_header(headers, "Content-Type", "application/octet-stream");
        const std::string target = "/api/v1/snapshots/" + input->id().hex();
        http::ClientRequest request;
        request.method = "PUT";
        request.target = target;
        request.headers = headers;
        request.body = raw_bytes(*input);
        request.timeout = timeout_;
        client_.send(request, [this, id = input->id()](const http::ClientResult& result) {
            on_put(id, result);
        });
    }
    missing_.emplace(waiter, missing);
}

void SnapshotPuts::forget(Waiter waiter) {
    if (missing_.erase(waiter) == 0) return;
    for (auto& [id, put] : under_way_) std::erase(put.waiters, waiter);
}

void SnapshotPuts::on_put(const ContentId& id, const http::ClientResult& result) {
    auto put = under_way_.extract(id);
    SCANMQ_ASSERT(!put.empty());
    const Answer answer = read_put_answer(result);
    for (const Waiter waiter : put.mapped().waiters) {
        const auto found = missing_.find(waiter);
        if (found == missing_.end()) continue;  // forgotten by what an earlier one led to
        if (answer.what != CallClass::ok) {
            forget(waiter);
            ready_(waiter, answer);
        } else if (--found->second == 0) {
            missing_.erase(found);
            ready_(waiter, answer);
        }
    }
}

}  // namespace scanmq::worker
