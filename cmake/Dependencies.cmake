# The libraries that Sternpost stands on. docs/architecture.md section 8 says why each was chosen.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(fmt REQUIRED)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
# For x86 it may also have what chooses by processor: the checksum of a message takes half the instructions.
include(CheckCXXSourceCompiles)
set(CMAKE_REQUIRED_LIBRARIES PkgConfig::XXHASH)
check_cxx_source_compiles("#include <xxhash.h>
#include <xxh_x86dispatch.h>
int main(int, char** argv) { return static_cast<int>(XXH3_64bits_withSeed(argv[0], 1, 2)); }" XXHASH_CHOOSES_BY_PROCESSOR)
unset(CMAKE_REQUIRED_LIBRARIES)
pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp)
pkg_check_modules(CAPNG REQUIRED IMPORTED_TARGET libcap-ng)
# Not by pkg-config, which wants what only a static libunbound would be linked with.
find_path(UNBOUND_INCLUDE unbound-event.h REQUIRED)
find_library(UNBOUND_LIBRARY unbound REQUIRED)
add_library(unbound::unbound UNKNOWN IMPORTED)
set_target_properties(unbound::unbound PROPERTIES
  IMPORTED_LOCATION ${UNBOUND_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${UNBOUND_INCLUDE})
find_package(CLI11 REQUIRED)
find_package(tomlplusplus REQUIRED)
if(STERNPOST_TESTS)
  find_package(GTest REQUIRED)
endif()
