#include "broker/server/housekeeper.hpp"

#include <malloc.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdio>
#include <cstring>
#include <utility>

namespace scanmq::broker {

ProcessMemory process_memory() {
    ProcessMemory out;
    std::FILE* file = std::fopen("/proc/self/status", "r");
    if (file == nullptr) return out;
    char line[256];
    while (std::fgets(line, sizeof line, file) != nullptr) {
        unsigned long long kib = 0;
        if (std::sscanf(line, "VmRSS: %llu", &kib) == 1) out.resident_bytes = kib << 10;
        if (std::sscanf(line, "RssAnon: %llu", &kib) == 1) out.anonymous_bytes = kib << 10;
    }
    std::fclose(file);
    return out;
}

class Housekeeper::Thread {
  public:
    boost::asio::thread_pool pool{1};
};

Housekeeper::Housekeeper(boost::asio::io_context& loop, Storage& storage,
                         std::function<void(const Found&)> found)
    : loop_(loop),
      storage_(storage),
      found_(std::move(found)),
      thread_(std::make_unique<Thread>()) {}

Housekeeper::~Housekeeper() { stop(); }

void Housekeeper::run(bool trim) {
    if (busy_ || stopped_) return;
    busy_ = true;
    boost::asio::post(thread_->pool, [this, trim, decision = storage_.decision()] {
        storage_.carry_out(decision);
        Found found;
        // The heaps of other threads are locked one by one, for as long as each takes.
        if (trim) malloc_trim(0);
        found.trimmed = trim;
        found.memory = process_memory();
        found.store = storage_.figures();
        boost::asio::post(loop_, [this, found = std::move(found)] {
            busy_ = false;
            if (!stopped_) found_(found);
        });
    });
}

void Housekeeper::stop() {
    stopped_ = true;
    thread_->pool.join();
}

}  // namespace scanmq::broker
