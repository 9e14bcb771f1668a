<?php
// chat-token.php -- POST chat-token.php: the token with which the signed-in visitor's chat speaks to Postern. No library.
// Tested with Debian 12's PHP 8.2. Under php-fpm the pool passes the secret on: env[POSTERN_SIGNING_KEY] = $POSTERN_SIGNING_KEY
//
// 1. The email comes from the session that this backend made at sign-in. Nothing that the browser sends is read.
// 2. Only an email that this site has verified is signed.
// 3. The secret stays here: in the environment, in no page, no log and no repository.
declare(strict_types=1);

function answer(int $status, array $body): never
{
    http_response_code($status);
    header('Content-Type: application/json');
    header('Cache-Control: no-store');
    exit(json_encode($body));
}

function part(string $bytes): string
{
    return rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
}

$key = (string) getenv('POSTERN_SIGNING_KEY');
$kid = (string) getenv('POSTERN_SIGNING_KID');
if (strlen($key) < 32) {
    error_log('POSTERN_SIGNING_KEY is missing or too short');
    answer(500, ['error' => 'not_configured']);
}
if ($_SERVER['REQUEST_METHOD'] !== 'POST') {
    header('Allow: POST');
    answer(405, ['error' => 'method_not_allowed']);
}
if (($_SERVER['HTTP_SEC_FETCH_SITE'] ?? 'same-origin') !== 'same-origin') {    // a page of another site asks
    answer(403, ['error' => 'cross_site']);
}

session_start(['read_and_close' => true, 'use_strict_mode' => true]);
$user = $_SESSION['user'] ?? null;    // what your sign-in put there; or load the row of the session's user id
if (!$user) {
    answer(401, ['error' => 'sign_in_required']);
}
if (($user['email_verified'] ?? null) !== true) {
    answer(403, ['error' => 'email_not_verified']);
}

// Before PHP 8.2 strtolower() minds the locale; this changes A to Z only, always.
$email = strtr($user['email'], 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz');
$now = time();
$header = ['alg' => 'HS256', 'typ' => 'JWT'] + ($kid !== '' ? ['kid' => $kid] : []);
$signed = part(json_encode($header, JSON_THROW_ON_ERROR))
    . '.' . part(json_encode(['email' => $email, 'iat' => $now, 'exp' => $now + 3600], JSON_THROW_ON_ERROR));
answer(200, ['token' => $signed . '.' . part(hash_hmac('sha256', $signed, $key, true))]);
