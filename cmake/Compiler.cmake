# Which compilers are accepted, and the warnings and hardening that every target gets.

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  message(FATAL_ERROR
    "g++ ${CMAKE_CXX_COMPILER_VERSION} destroys some temporaries twice in expressions with co_await. "
    "Use clang 19 (Debian package clang-19; the presets choose it) or g++ 13 and later.")
endif()

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

include(CheckPIESupported)
check_pie_supported()

option(STERNPOST_CFI "Control-flow integrity with ThinLTO (clang)" OFF)
# Where most code takes longer to compile than to run, simulations still run the layers below runtime a million times.
set(STERNPOST_OPTIMISE_CORE "" CACHE STRING "Compiler options for the layers below runtime")
set(STERNPOST_SANITIZE "" CACHE STRING "Sanitizers, as in -fsanitize=")

add_library(sternpost_flags INTERFACE)
target_compile_options(sternpost_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor
  -Wold-style-cast -Wimplicit-fallthrough -Werror
  -fstack-protector-strong -fstack-clash-protection -fcf-protection
  -ftrivial-auto-var-init=zero -fno-omit-frame-pointer)
target_compile_definitions(sternpost_flags INTERFACE _GLIBCXX_ASSERTIONS)
target_link_options(sternpost_flags INTERFACE -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)

if(STERNPOST_SANITIZE)
  target_compile_options(sternpost_flags INTERFACE
    -fsanitize=${STERNPOST_SANITIZE} -fno-sanitize-recover=all)
  # The check of virtual tables looks at memory through a pipe: without a free descriptor it finds fault with
  # every object, and processes without descriptors are what some tests are about.
  if(STERNPOST_SANITIZE MATCHES "undefined")
    target_compile_options(sternpost_flags INTERFACE -fno-sanitize=vptr)
  endif()
  target_link_options(sternpost_flags INTERFACE -fsanitize=${STERNPOST_SANITIZE})
elseif(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  target_compile_definitions(sternpost_flags INTERFACE _FORTIFY_SOURCE=3)
endif()

if(STERNPOST_CFI AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(sternpost_flags INTERFACE -flto=thin -fsanitize=cfi -fvisibility=hidden)
  # The programs share most of their modules; the cache lets them share the work of optimising them.
  target_link_options(sternpost_flags INTERFACE -flto=thin -fsanitize=cfi -fuse-ld=lld-19
    -Wl,--thinlto-cache-dir=${CMAKE_BINARY_DIR}/thinlto-cache)
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_link_options(sternpost_flags INTERFACE -fuse-ld=lld-19)
endif()
