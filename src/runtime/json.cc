// Boost.JSON is compiled here, once; everything else includes declarations only.
#include <boost/json/src.hpp>
