#include <string.h>

#include "tests/unit/unit.h"

#include "base/digest.h"
#include "base/id.h"
#include "base/version.h"

static void ids_are_64_hex_digits_and_never_short_numbers(void **state)
{
    char id[ID_LEN + 1], before[ID_LEN + 1] = "";

    (void)state;
    for (int i = 0; i < 5000; i++) {
        id_new(id);
        assert_true(id_valid(id));
        assert_true(strspn(id, "0123456789") < 12);
        assert_string_not_equal(id, before);
        memcpy(before, id, sizeof(id));
    }
    id[0] = 'A';
    assert_false(id_valid(id));
    assert_false(id_valid("abc"));
    assert_false(id_valid(NULL));
}

static void sha256_of_known_texts(void **state)
{
    static const char empty[] =
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    static const char abc[] =
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    char out[DIGEST_TEXT_MAX];
    struct digest *d = digest_new();

    (void)state;
    digest_of("", 0, out);
    assert_string_equal(out, empty);
    digest_update(d, "a", 1);
    digest_update(d, "", 0);
    digest_update(d, "bc", 2);
    digest_final(d, out);
    digest_free(d);
    assert_string_equal(out, abc);
    assert_true(digest_valid(out));
    assert_string_equal(digest_hex(out), abc + 7);
    assert_string_equal(digest_hex("ba78"), "ba78");
}

static void a_digest_is_valid_in_one_spelling_only(void **state)
{
    char d[] = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    (void)state;
    assert_true(digest_valid(d));
    assert_false(digest_valid(d + 1));
    assert_false(digest_valid(NULL));
    d[70] = 'D';
    assert_false(digest_valid(d));
    d[70] = '\0';
    assert_false(digest_valid(d));
    assert_false(
        digest_valid("sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad0"));
    assert_false(digest_valid("sha512:ba78"));
}

static void the_commit_is_known_or_said_to_be_unknown(void **state)
{
    const char *commit = ballast_git_commit();

    (void)state;
    assert_true(strspn(commit, "0123456789abcdef") >= 7 || strcmp(commit, "unknown") == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_64_hex_digits_and_never_short_numbers),
        cmocka_unit_test(sha256_of_known_texts),
        cmocka_unit_test(a_digest_is_valid_in_one_spelling_only),
        cmocka_unit_test(the_commit_is_known_or_said_to_be_unknown),
    };
    return cmocka_run_group_tests_name("base/id", tests, NULL, NULL);
}
