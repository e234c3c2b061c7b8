// `sternpost spool`: the queue on disk while no instance uses it.
#pragma once

#include <string>
#include <vector>

#include "tool/failure.h"
#include "tool/options.h"
#include "tool/spool_folders.h"

namespace sternpost::tool {

/// Reads all that a start would read, and then every message; changes nothing. ExitStatus::failed where
/// anything is damaged or cannot be read.
Outcome<void> spool_check(const Options& options, const SpoolPlace& place);

/// Prints the records of the log in their order, and what is damaged, a line for each; with `id`, those that
/// are about that message alone.
Outcome<void> spool_dump(const Options& options, const SpoolPlace& place, const std::string& id);

struct ExportOrder {
  std::string folder;            ///< made where it is missing
  std::vector<std::string> ids;  ///< empty: all messages
  bool remove = false;           ///< what was exported durably leaves the queue
};

/// Writes ID.eml and ID.envelope of each message, durably. What cannot be exported is named and keeps no
/// other from it.
Outcome<void> spool_export(const Options& options, const SpoolPlace& place, const ExportOrder& order);

/// Takes the messages of such a folder into the queue, under new ids; their files are called *.imported then.
/// What is malformed is named and stays as it is. May be broken off and run again.
Outcome<void> spool_import(const Options& options, const SpoolPlace& place, const std::string& folder);

struct RepairOrder {
  bool write = false;            ///< else nothing is changed
  std::string keep;              ///< the folder that damaged files are copied to; new or empty
  bool missing_is_lost = false;  ///< a segment whose file is missing is given up
};

/// Says what is damaged, and what there is to do about it. With `write` it is done: damaged files are copied,
/// what can be read of them is moved to whole segments, and they are emptied. ExitStatus::failed where the
/// queue is not whole at the end.
Outcome<void> spool_repair(const Options& options, const SpoolPlace& place, const RepairOrder& order);

}  // namespace sternpost::tool
