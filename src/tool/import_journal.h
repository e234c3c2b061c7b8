// Which messages an import is about to put into which queue under which ids: written before it does, so that
// one that was broken off and is run again knows what it had done.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/queue_id.h"

namespace sternpost::tool {

/// The file's name in the folder that is imported.
inline constexpr std::string_view kJournalName = "import.journal";
inline constexpr std::size_t kMaxJournal = 1ULL << 20U;

struct ImportJournal {
  struct Entry {
    std::string name;  ///< of the files, without ".eml" and ".envelope"
    QueueId id;        ///< that it gets in the queue
    bool operator==(const Entry&) const = default;
  };

  std::uint64_t spool = 0;  ///< SegmentHeader::spool
  std::vector<Entry> entries;
  bool operator==(const ImportJournal&) const = default;
};

std::string to_text(const ImportJournal& journal);
/// The inverse; what is wrong with other text, in words.
std::expected<ImportJournal, std::string> parse_import_journal(std::string_view text);

/// Whether a file may be called so: letters, digits and ".-_", not beginning with a dot, at most 128.
bool is_import_name(std::string_view name);

}  // namespace sternpost::tool
