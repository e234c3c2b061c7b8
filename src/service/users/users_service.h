// The shell of users: answers lookups on the router's channels.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <vector>

#include "runtime/channel/channel.h"
#include "runtime/service.h"
#include "service/users/protocol.h"

namespace sternpost::users {

class UsersService final : public Service {
 public:
  static Result<std::unique_ptr<Service>> make(ServiceContext&& context);

  UsersService(ServiceContext&& context, std::uint32_t first_uid)
      : context_(std::move(context)), first_uid_(first_uid) {}

  void peer(Compartment row, std::uint32_t instance, UniqueFd socket) override;
  void drain(bool urgent) override;
  std::vector<control::Counter> counters() override {
    return {{"lookups", lookups_}, {"unavailable", unavailable_}};
  }

 private:
  using RouterChannel = Channel<ToUsers, FromUsers>;

  ServiceContext context_;
  std::uint32_t first_uid_;
  std::list<std::unique_ptr<RouterChannel>> routers_;
  std::uint64_t lookups_ = 0;
  std::uint64_t unavailable_ = 0;  ///< lookups for which the database could not be asked
};

}  // namespace sternpost::users
