#include "mail/extension.h"

#include "base/ascii.h"

namespace sternpost::mail {

std::string fold_case(std::string_view text) {
  std::string folded(text);
  for (char& c : folded) c = to_lower(c);
  return folded;
}

std::optional<std::string_view> without_extension(std::string_view local_part, std::string_view delimiter) {
  if (delimiter.size() != 1) return std::nullopt;
  const auto at = local_part.find(delimiter.front());
  if (at == std::string_view::npos || at == 0) return std::nullopt;
  return local_part.substr(0, at);
}

}  // namespace sternpost::mail
