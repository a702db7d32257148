"""Which family has a function: the names that scripts may call, by family. A test compares it with the families.

Imported with the first script of an actor, so it imports nothing of this package. A name of a method, such as `get` of
a handle, is listed too; a script that uses the same word for something else only causes the family to be imported.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

#: The families of the room `families.pure`, which only compute.
PURE = frozenset({"crypto", "encode", "formats", "regex", "time"})
#: By the name of the family and of its module in `families`, its functions and methods.
NAMES_BY_FAMILY: Mapping[str, str] = MappingProxyType(
    {
        "crypto": """
            blake2b blake2s decrypt decrypt_bytes ed25519_generate ed25519_public ed25519_sign ed25519_verify encrypt
            generate_key hmac_sha256 hmac_sha512 key_from_password random_bytes random_int secp256k1_generate
            secp256k1_public secp256k1_sign secp256k1_verify secure_equals sha256 sha384 sha512 uuid4 uuid7
            """,
        "encode": """
            base64_decode base64_decode_bytes base64_encode hex_decode hex_decode_bytes hex_encode json_decode
            json_encode url_decode url_encode url_parse url_query
            """,
        "formats": """
            csv_decode csv_decode_maps csv_encode toml_decode toml_encode yaml_decode yaml_encode
            """,
        "regex": """
            regex_escape regex_find regex_find_all regex_is_match regex_replace regex_split
            """,
        "time": """
            duration_format duration_parse time_format time_from_parts time_now time_now_ms time_parse time_parts
            time_sleep
            """,
        "core": "progress",
        "git": "commit find get git_clone git_tree_new has_changes list path pull push reset",
        "http": "download_file http_download http_get http_request http_upload json",
        "job": """
            job_create job_delete job_get job_list job_log job_output job_retry job_run job_start job_status job_stop
            job_submit job_wait job_wait_all
            """,
        "net": "http_check http_status ssh_execute ssh_execute_output ssh_ping tcp_check tcp_ping",
        "os": """
            chdir chmod_exec copy delete exist file_read file_size file_write file_write_append find_dir find_dirs
            find_file find_files mkdir mv rsync
            """,
        "platform": """
            cmd_ensure_exists package_platform package_set_debug platform_check_linux_x86 platform_check_macos_arm
            platform_is_arm platform_is_linux platform_is_osx platform_is_x86 which
            """,
        "process": """
            execute ignore_error kill log new_run_options process_get process_list run run_command run_silent silent
            """,
        "redis": """
            redis_del redis_get redis_hdel redis_hget redis_hgetall redis_hset redis_llen redis_lpush redis_lrange
            redis_ping redis_reset redis_rpush redis_set
            """,
        "secret": "secret",
        "store": """
            store_compare_and_set store_delete store_exists store_expire store_get store_increment store_list store_set
            """,
        "text": """
            add_var add_vars and build case_insensitive dedent name_fix path_fix pattern prefix regex render
            render_to_file replace replace_file replace_file_in_place replace_file_to replacement template_builder_open
            text_replacer_builder text_replacer_new
            """,
    }
)
_NAMES = frozenset(name for names in NAMES_BY_FAMILY.values() for name in names.split()) | {"eval"}


#: What the names of the functions of objects look like; they are made from schemas, so they cannot be listed.
_OBJECTS = re.compile(r"osis_.*|(new|save|get|delete|list|find)_.*|.*_(new|from_str|values|is_valid)")


def mentions_objects(words: set[str]) -> bool:
    """Tell whether one of a script's words may be a function of the family `osis`."""
    return any(_OBJECTS.fullmatch(word) for word in words)


def mentions_function(words: set[str]) -> bool:
    """Tell whether one of a script's words may be a function of a family."""
    return not _NAMES.isdisjoint(words)
