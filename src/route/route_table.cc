#include "route/route_table.h"

#include <utility>

namespace sternpost::route {

RouteTable::RouteTable(std::vector<Route> routes) : routes_(std::move(routes)) {
  for (std::size_t i = 0; i < routes_.size(); ++i) by_pattern_.try_emplace(routes_[i].pattern, i);
}

const Route* RouteTable::exact(std::string_view pattern) const {
  const auto at = by_pattern_.find(std::string(pattern));
  return at == by_pattern_.end() ? nullptr : &routes_[at->second];
}

const Route* RouteTable::find(std::string_view domain) const {
  if (routes_.empty()) return nullptr;
  if (!domain.starts_with('[')) {
    if (const auto* route = exact(domain)) return route;
    for (auto dot = domain.find('.'); dot != std::string_view::npos; dot = domain.find('.', dot + 1)) {
      if (const auto* route = exact(domain.substr(dot))) return route;
    }
  }
  return exact("*");
}

}  // namespace sternpost::route
