// One simulated life of a spool: a seed decides what is asked of it, what fails, and when it dies.
#pragma once

#include <cstdint>

#include "life_story.h"
#include "sim_disk.h"

namespace sternpost::sim {

LifeStory live(std::uint64_t seed, const Lies& lies);

}  // namespace sternpost::sim
