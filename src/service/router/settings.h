// The router's slice as the settings of route::Router.
#pragma once

#include "config/slices.h"
#include "route/router.h"

namespace sternpost::router {

route::Settings to_settings(config::RouterSlice&& slice);

}  // namespace sternpost::router
