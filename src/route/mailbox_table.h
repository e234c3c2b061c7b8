// The mailboxes that the administrator listed, looked up the way all parts of the server look them up.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/rule.h"

namespace sternpost::route {

struct ListedMailbox {
  std::string address;    ///< "user@domain" as it goes on the wire, or "@domain"; lower case
  std::string directory;  ///< below the mail folder
  Rule rule;
};

/// Local parts are compared without regard to case. The first entry of several with one address counts.
class MailboxTable {
 public:
  MailboxTable() = default;
  MailboxTable(std::vector<ListedMailbox> entries, std::string extension_delimiter);

  /// Longest match first: the whole local part, then the part before the extension, then "@domain". `domain`
  /// is in lower case. The pointer lives as long as the table.
  [[nodiscard]] const ListedMailbox* find(std::string_view local_part, std::string_view domain) const;

 private:
  [[nodiscard]] const ListedMailbox* exact(std::string_view local_part, std::string_view domain) const;

  std::vector<ListedMailbox> entries_;
  std::unordered_map<std::string, std::size_t> by_address_;
  std::string delimiter_;
};

}  // namespace sternpost::route
