// The administrator's routes: which domain goes to which next hop.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/rule.h"
#include "route/next_hop.h"

namespace sternpost::route {

struct Route {
  std::string pattern;  ///< "example.org", ".example.org" for all below it, or "*" for all others
  NextHop next_hop;
  std::vector<std::string> sources;  ///< see Site::sources
  Rule rule;
};

class RouteTable {
 public:
  RouteTable() = default;
  /// Of several with one pattern the first counts.
  explicit RouteTable(std::vector<Route> routes);

  /// The route of a domain in lower case: by its name, then by the nearest domain above it, then "*"; null
  /// where none applies. An address literal goes by "*" alone. The pointer lives as long as the table.
  [[nodiscard]] const Route* find(std::string_view domain) const;

 private:
  [[nodiscard]] const Route* exact(std::string_view pattern) const;

  std::vector<Route> routes_;
  std::unordered_map<std::string, std::size_t> by_pattern_;
};

}  // namespace sternpost::route
