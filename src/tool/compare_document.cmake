# Fails where the document that PROGRAM prints as NAME is not the COMMITTED one.
execute_process(COMMAND ${PROGRAM} manual ${NAME} OUTPUT_VARIABLE made RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${PROGRAM} manual ${NAME} failed: ${status}")
endif()
file(READ ${COMMITTED} committed)
if(NOT made STREQUAL committed)
  message(FATAL_ERROR "${COMMITTED} is not what the program prints; run scripts/generate-docs")
endif()
