// Applies the records of a log, in order, to an index.
#pragma once

#include <string_view>

#include "spool/id_set.h"
#include "spool/index.h"
#include "spool/record.h"

namespace sternpost::spool {

enum class ReplayFault : unsigned char {
  none,
  malformed,  ///< the checksum is right and the meaning is not
  misfit,     ///< does not fit the state before it, which may be a leftover that a later record supersedes
};

std::string_view to_string(ReplayFault fault);

/// Applies one record that stands in `slot` to the message that it is of. With a fault, nothing has changed.
ReplayFault replay(const RecordView& record, std::uint32_t slot, Index& index, IdSet& committed);

/// Applies what the record of a notice in `slot` does to the message that it tells of.
ReplayFault replay(const Settles& settles, std::uint32_t slot, Index& index);

}  // namespace sternpost::spool
