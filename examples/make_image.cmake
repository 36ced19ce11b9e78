# cmake -D PROGRAM=<static program> -D IMAGE=<out.tar> -D NAME=<repo:tag> -D ARCH=<amd64> -P make_image.cmake
# A docker-archive with one layer: the program as its entrypoint, an empty /data and /tmp.
get_filename_component(base ${PROGRAM} NAME)
set(work ${IMAGE}.work)
file(REMOVE_RECURSE ${work})
file(MAKE_DIRECTORY ${work}/root/data ${work}/root/tmp ${work}/archive)
file(COPY ${PROGRAM} DESTINATION ${work}/root)
execute_process(COMMAND ${CMAKE_COMMAND} -E tar cf ${work}/archive/layer.tar --format=gnutar --mtime=2024-01-01 ${base} data tmp
    WORKING_DIRECTORY ${work}/root COMMAND_ERROR_IS_FATAL ANY)
file(SHA256 ${work}/archive/layer.tar diff_id)
file(WRITE ${work}/archive/config.json
"{\"created\":\"2024-01-01T00:00:00Z\",\"architecture\":\"${ARCH}\",\"os\":\"linux\",\
\"config\":{\"Entrypoint\":[\"/${base}\"],\"Env\":[\"PATH=/\"],\"WorkingDir\":\"/\"},\
\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:${diff_id}\"]},\
\"history\":[{\"created\":\"2024-01-01T00:00:00Z\",\"created_by\":\"the program ${base}\"}]}")
file(WRITE ${work}/archive/manifest.json
"[{\"Config\":\"config.json\",\"RepoTags\":[\"${NAME}\"],\"Layers\":[\"layer.tar\"]}]")
execute_process(COMMAND ${CMAKE_COMMAND} -E tar cf ${IMAGE} --format=gnutar --mtime=2024-01-01 manifest.json config.json layer.tar
    WORKING_DIRECTORY ${work}/archive COMMAND_ERROR_IS_FATAL ANY)
file(REMOVE_RECURSE ${work})
