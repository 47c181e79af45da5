#include "worker/scanners/embedded_scanner.hpp"

#include <exception>
#include <utility>

#include "scanner/service/job.hpp"

namespace scanmq::worker {

namespace {

Decoded decode(std::string& bytes) {
    auto opened = service::open_snapshot_once(bytes);
    return {std::move(opened.chain), opened.memory, std::move(opened.problem)};
}

service::Job job_of(const Task& task) {
    const auto open = [&task](std::size_t i) -> Result<service::JobChain, std::string> {
        Input& input = *task.inputs[i];
        const Decoded& decoded = input.decoded(decode);
        if (decoded.object == nullptr) {
            return fail("snapshot " + input.id().hex() + ": " + decoded.problem);
        }
        return service::JobChain{input.id(),
                                 static_cast<const market::PricedChain*>(decoded.object.get())};
    };
    return {task.payload, task.as_of_ns, task.inputs.size(), open};
}

service::ScanHooks hooks_of(const Task& task) {
    service::ScanHooks hooks;
    hooks.cancel = task.cancel;
    if (task.progress != nullptr) {
        hooks.done = &task.progress->done;
        hooks.total = &task.progress->total;
        hooks.note = &task.progress->note;
    }
    return hooks;
}

}  // namespace

std::string EmbeddedScanner::version() const { return service::kEngineVersion; }

void EmbeddedScanner::run(const Task& task, Outcome& out) const noexcept {
    try {
        auto result = service::run_job(job_of(task), hooks_of(task));
        if (result) {
            out.storage = std::move(result).value();
            out.body = out.storage;
        } else if (result.error().code == service::ErrorCode::cancelled) {
            out.failed(result.error().message);
        } else {
            out.rejected(result.error().message);
        }
    } catch (const std::exception& error) {
        out.body = {};
        out.failed(std::string("the scan threw: ") + error.what());
    }
}

}  // namespace scanmq::worker
