#pragma once
// Fields that several kinds share, and the kinds that carry batches; used by encode.cpp only.
//
// Threads: any; no state.

#include "common/protocol/messages.hpp"
#include "common/protocol/writer.hpp"

namespace scanmq::protocol::encoding {

void job_options(Writer& w, const JobOptions& o);

// What follows the envelope.
void fields(Writer& w, const Submit& m);
void fields(Writer& w, const Accepted& m);
void fields(Writer& w, const Deliver& m);
void fields(Writer& w, const Done& m);
void fields(Writer& w, const Results& m);

}  // namespace scanmq::protocol::encoding
