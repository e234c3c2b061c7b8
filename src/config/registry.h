// The registry: every configuration parameter there is. Parser, help, manual page and reference are made from
// it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/parameter.h"

namespace sternpost::config {

/// Parameters that belong together, in the order in which they are documented.
struct Topic {
  std::string_view title;
  std::string_view about;  ///< what stands above them in the reference
  std::span<const Parameter> parameters;
};

/// All topics. Those of general_topic stand at the top of the file, the others in tables.
std::vector<Topic> topics();

Topic general_topic();
Topic smtp_topic();
Topic mailbox_topic();
Topic routes_topic();
Topic smtp_client_topic();
Topic spool_topic();
Topic queue_topic();
Topic log_topic();
Topic dns_topic();
Topic process_topic();

/// All entries, topic by topic. The pointers live as long as the program.
std::vector<const Parameter*> registry();

/// The entry with this key, or nothing.
const Parameter* find_parameter(std::string_view key);

/// True where `prefix` is a table of the file that holds parameters: "smtp".
bool is_section(std::string_view prefix);

/// The key of the registry that `key` was most probably meant to be; empty where none is near.
std::string nearest_key(std::string_view key);

/// The same for the name of a table.
std::string nearest_section(std::string_view name);

/// The word of `words` nearest to `word` by edit distance; empty where more than a third would have to
/// change. Text longer than 128 octets is near to nothing.
std::string nearest_word(std::string_view word, std::span<const std::string_view> words);

/// The pieces of `text` between spaces.
std::vector<std::string_view> split_words(std::string_view text);

}  // namespace sternpost::config
