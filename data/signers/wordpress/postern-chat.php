<?php
/**
 * Plugin Name: Postern chat token
 * Description: POST /wp-json/postern/v1/chat-token: the token with which the signed-in visitor's chat speaks to Postern.
 * Requires PHP: 8.1
 *
 * Tested with Debian 12's WordPress 6.1, PHP 8.2 and MariaDB 10.11. In wp-content/plugins/, then activate it.
 *
 * 1. The email is the one of the user whom WordPress's own sign-in cookie names. Nothing else that the browser sends is read.
 *    WordPress takes the cookie on its REST API only with a nonce, so another site's page is nobody:
 *    fetch(url, { method: "POST", headers: { "X-WP-Nonce": nonce } }), with nonce from wp_create_nonce("wp_rest").
 * 2. Only a verified email is signed, and WordPress keeps no word on that: whoever is signed in sets any address as their own
 *    by its REST API (/wp/v2/users/me), unconfirmed, and shop plugins have forms that do the same. So this plugin remembers
 *    the address at which a user last took a password link out of the mailbox, as new users do. Who has another one by
 *    now, or had a password before this plugin came, uses "Lost your password?" once. A site that verifies addresses in
 *    a way of its own says so by the filter postern_email_verified.
 * 3. The secret stays here: in the environment, POSTERN_SIGNING_KEY, and not in the database. Under php-fpm the pool passes
 *    it on: env[POSTERN_SIGNING_KEY] = $POSTERN_SIGNING_KEY
 */
declare(strict_types=1);

defined('ABSPATH') || exit;

add_action('rest_api_init', function (): void {
    register_rest_route('postern/v1', '/chat-token', [
        'methods' => 'POST',
        'permission_callback' => 'is_user_logged_in',    // else WordPress answers 401
        'callback' => 'postern_chat_token',
    ]);
});

// WordPress lets every origin read its REST API, with the visitor's cookies: not this answer.
add_filter('rest_pre_serve_request', function ($served, $answer, WP_REST_Request $request) {
    if (strcasecmp($request->get_route(), '/postern/v1/chat-token') === 0) {
        header_remove('Access-Control-Allow-Origin');
        header_remove('Access-Control-Allow-Credentials');
    }
    return $served;
}, 11, 3);    // after WordPress's own, at 10

// Fired once the key from the mailed link was right; WordPress drops that key when the address changes.
add_action('password_reset', function (WP_User $user): void {
    update_user_meta($user->ID, '_postern_verified_email', $user->user_email);
});

function postern_part(string $bytes): string
{
    return rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
}

function postern_chat_token(): WP_REST_Response|WP_Error
{
    $key = (string) getenv('POSTERN_SIGNING_KEY');
    $kid = (string) getenv('POSTERN_SIGNING_KID');
    if (strlen($key) < 32) {
        return new WP_Error('not_configured', 'POSTERN_SIGNING_KEY is missing or too short', ['status' => 500]);
    }
    if (get_http_origin() && !is_allowed_http_origin()) {
        return new WP_Error('cross_site', 'only for pages of this site', ['status' => 403]);
    }
    $user = wp_get_current_user();
    $verified = $user->user_email !== '' && get_user_meta($user->ID, '_postern_verified_email', true) === $user->user_email;
    if (apply_filters('postern_email_verified', $verified, $user) !== true) {
        return new WP_Error('email_not_verified', 'the email is not verified', ['status' => 403]);
    }
    // Before PHP 8.2 strtolower() minds the locale; this changes A to Z only, always.
    $email = strtr($user->user_email, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz');
    $now = time();
    $header = ['alg' => 'HS256', 'typ' => 'JWT'] + ($kid !== '' ? ['kid' => $kid] : []);
    $signed = postern_part(json_encode($header, JSON_THROW_ON_ERROR))
        . '.' . postern_part(json_encode(['email' => $email, 'iat' => $now, 'exp' => $now + 3600], JSON_THROW_ON_ERROR));
    $token = $signed . '.' . postern_part(hash_hmac('sha256', $signed, $key, true));
    // WordPress sends a Cache-Control of its own to who is signed in; the filter is for versions that send it after ours.
    add_filter('nocache_headers', fn(array $headers): array => ['Cache-Control' => 'no-store'] + $headers);
    return new WP_REST_Response(['token' => $token], 200, ['Cache-Control' => 'no-store']);
}
