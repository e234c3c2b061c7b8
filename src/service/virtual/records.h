// The records that the agent makes once an outcome is durable.
#pragma once

#include <vector>

#include "runtime/record.h"
#include "service/virtual/job_desk.h"

namespace sternpost::virtual_mailbox {

/// One for each recipient: delivered, deferred or failed.
std::vector<Record> to_records(const FinishedJob& job);

}  // namespace sternpost::virtual_mailbox
