# cmake --install BUILD --prefix P: the program, its training module where the program looks for it
# (trainer/load_torch.cpp), the man page that the program writes, the systemd unit, the examples.
install(TARGETS freshet RUNTIME DESTINATION bin)
install(TARGETS freshet-torch LIBRARY DESTINATION lib/freshet)
install(FILES README.md DESTINATION share/doc/freshet)
install(DIRECTORY docs/ DESTINATION share/doc/freshet FILES_MATCHING PATTERN "*.md")
install(DIRECTORY examples DESTINATION share/doc/freshet FILES_MATCHING PATTERN "*.json")
# These two depend on the prefix, or on the program: they are made when it is installed.
install(CODE "set(made \"${CMAKE_BINARY_DIR}/installed\")
set(source \"${PROJECT_SOURCE_DIR}/cmake\")
set(program \"$<TARGET_FILE:freshet>\")")
install(CODE [[
execute_process(COMMAND ${program} help-man OUTPUT_FILE ${made}.1 COMMAND_ERROR_IS_FATAL ANY)
set(FRESHET_PROGRAM ${CMAKE_INSTALL_PREFIX}/bin/freshet)
configure_file(${source}/freshet.service.in ${made}.service @ONLY)
file(INSTALL ${made}.1 DESTINATION ${CMAKE_INSTALL_PREFIX}/share/man/man1 RENAME freshet.1)
file(INSTALL ${made}.service DESTINATION ${CMAKE_INSTALL_PREFIX}/lib/systemd/system
  RENAME freshet.service)
]])
