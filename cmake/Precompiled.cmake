# Headers that nearly every source reads, compiled once for each kind of target. The release build goes without, so
# that every file still has to include what it uses.

option(STERNPOST_PRECOMPILE "Precompile common headers (clang)" OFF)

set(precompiled_base <algorithm> <array> <chrono> <cstdint> <deque> <expected> <functional> <map> <memory> <optional>
  <set> <span> <string> <string_view> <tuple> <unordered_map> <utility> <variant> <vector> <fmt/format.h>)
set(precompiled_runtime ${precompiled_base} <boost/asio/io_context.hpp> <boost/asio/posix/stream_descriptor.hpp>
  <boost/asio/post.hpp> <boost/asio/steady_timer.hpp>)
set(precompiled_test <filesystem> <fstream> <random> <gmock/gmock.h> <gtest/gtest.h>)

set(asio_definitions
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_COROUTINE)

# What was compiled for a library does not fit a program: the code is another.
function(sternpost_add_precompiled kind)
  set(owner precompiled_for_${kind})
  add_library(${owner} OBJECT EXCLUDE_FROM_ALL ${CMAKE_BINARY_DIR}/precompiled.cc)
  if(kind MATCHES "_test$")
    string(REPLACE "_test" "" headers ${kind})
    target_precompile_headers(${owner} PRIVATE ${precompiled_${headers}} ${precompiled_test})
    target_link_libraries(${owner} PRIVATE GTest::gtest GTest::gmock)
    set_target_properties(${owner} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${owner} PRIVATE -fPIE)
  else()
    target_precompile_headers(${owner} PRIVATE ${precompiled_${kind}})
  endif()
  if(kind STREQUAL "base")
    target_compile_options(${owner} PRIVATE ${STERNPOST_OPTIMISE_CORE})
  endif()
  target_link_libraries(${owner} PRIVATE sternpost_flags fmt::fmt)
  if(kind MATCHES "^runtime")
    target_link_libraries(${owner} PRIVATE Boost::headers)
    target_compile_definitions(${owner} PRIVATE ${asio_definitions})
  endif()
endfunction()

if(STERNPOST_PRECOMPILE)
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/precompiled.cc CONTENT "// Only the headers count.\n")
  target_compile_options(sternpost_flags INTERFACE -Xclang -fno-pch-timestamp)
  foreach(kind base base_test runtime runtime_test)
    sternpost_add_precompiled(${kind})
  endforeach()
endif()

# sternpost_precompile(TARGET KIND): `base` or `runtime`, with `_test` behind it for tests.
function(sternpost_precompile target kind)
  if(STERNPOST_PRECOMPILE)
    target_precompile_headers(${target} REUSE_FROM precompiled_for_${kind})
  endif()
endfunction()
