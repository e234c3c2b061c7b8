// The records that the agent makes once an outcome is durable.
#pragma once

#include <vector>

#include "runtime/record.h"
#include "service/smtp/attempt.h"

namespace sternpost::smtp_client {

/// One for each recipient: delivered, deferred or failed.
std::vector<Record> to_records(const FinishedJob& job);

}  // namespace sternpost::smtp_client
