# cmake -DOUTPUT=page_assets.cpp -DFILES="a;b" -P embed.cmake
# Writes the files, plain and gzipped, into one C++ source that defines page_assets().
file(WRITE ${OUTPUT}.part "#include \"web/page.h\"\n\nnamespace freshet {\n\nnamespace {\n\n")
set(entries "")
set(number 0)

function(write_bytes name file)
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  file(APPEND ${OUTPUT}.part "constexpr unsigned char ${name}[] = {${bytes}};\n")
endfunction()

foreach(file ${FILES})
  get_filename_component(name ${file} NAME)
  get_filename_component(extension ${file} LAST_EXT)
  string(REPLACE "dygraph.min" "dygraphs" name ${name})
  if(extension STREQUAL ".js")
    set(type "text/javascript; charset=utf-8")
  elseif(extension STREQUAL ".css")
    set(type "text/css; charset=utf-8")
  else()
    set(type "text/html; charset=utf-8")
  endif()
  file(ARCHIVE_CREATE OUTPUT ${OUTPUT}.gz PATHS ${file} FORMAT raw COMPRESSION GZip COMPRESSION_LEVEL 9)
  file(SHA256 ${file} hash)
  write_bytes(kPlain${number} ${file})
  write_bytes(kGzip${number} ${OUTPUT}.gz)
  string(APPEND entries "      {\"/${name}\", \"${type}\", view(kPlain${number}), view(kGzip${number}), \"${hash}\"},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(REMOVE ${OUTPUT}.gz)
file(APPEND ${OUTPUT}.part "
template <std::size_t n>
std::string_view view(const unsigned char (&bytes)[n]) {
  return {reinterpret_cast<const char*>(bytes), n};
}

}  // namespace

const std::vector<Asset>& page_assets() {
  static const std::vector<Asset> assets = {
${entries}  };
  return assets;
}

}  // namespace freshet
")
file(RENAME ${OUTPUT}.part ${OUTPUT})
