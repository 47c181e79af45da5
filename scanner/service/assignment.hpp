#pragma once
// Assignment: would the holder of a short American option exercise it early?
//
// Rules:    a call, just before an ex-date: D > put(K) + K(1 - e^(-r tau)), later dividends' present
//           value on D's side; a put, now: K(1 - e^(-r tau)) > call(K) + PV(dividends). tau: from the
//           moment to the expiry. Puts and calls at their mid, out of the money ones without a bid at
//           half of their ask. Only options in the money are exercised.
// Threads:  pure functions.

#include "scanner/service/candidate.hpp"

namespace scanmq::service {

[[nodiscard]] Assignment assignment_of(const market::PricedChain& chain, const ScanInputs& inputs,
                                       std::uint32_t expiry, std::uint32_t row) noexcept;

}  // namespace scanmq::service
