#include "service/users/users_service.h"

#include <utility>

#include "config/slices.h"
#include "service/users/name_service.h"

namespace sternpost::users {

Result<std::unique_ptr<Service>> UsersService::make(ServiceContext&& context) {
  const auto slice = decode<config::UsersSlice>(context.slice);
  if (!slice) return fail(ErrorClass::internal, "the configuration slice is malformed");
  return std::make_unique<UsersService>(std::move(context), slice->first_uid);
}

void UsersService::peer(Compartment row, std::uint32_t /*instance*/, UniqueFd socket) {
  if (row != Compartment::router) return;
  const auto at = routers_.emplace(routers_.end());
  *at = std::make_unique<RouterChannel>(
      context_.loop, std::move(socket), FrameLimits{.max_frame = kMaxFrame}, context_.traffic,
      RouterChannel::Handlers{.on_frame = [this, at](ToUsers&& frame) -> Result<void> {
                                const auto& lookup = std::get<Lookup>(frame);
                                ++lookups_;
                                const auto found = look_up(lookup.name, first_uid_, lookup.request);
                                if (found.answer == Answer::unavailable) ++unavailable_;
                                (*at)->send(found);
                                return {};
                              },
                              .on_closed =
                                  [this, at](const Error& why) {
                                    context_.channel_closed(Compartment::router, why, false);
                                    routers_.erase(at);
                                  }});
}

void UsersService::drain(bool /*urgent*/) {
  // An answer is given in the wake-up that brought the question, so nothing is open.
  routers_.clear();
  context_.exit();
}

}  // namespace sternpost::users
