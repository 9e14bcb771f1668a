<?php
// wordpress.php install | user EMAIL: WordPress's own installer and users, in this file's folder; prints a new user's name, and
// the key that WordPress would mail to them.
define('WP_INSTALLING', $argv[1] === 'install');
require __DIR__ . '/wp-load.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
require_once ABSPATH . 'wp-admin/includes/plugin.php';
require_once ABSPATH . 'wp-admin/includes/user.php';
if ($argv[1] === 'install') {
    wp_install('Shop', 'admin', 'admin@shop.example', true, '', 'admin-password');
    $problem = activate_plugin('postern-chat.php');
} else {
    $name = 'u' . bin2hex(random_bytes(6));
    if ($id = email_exists($argv[2])) {
        wp_delete_user($id);
    }
    $problem = wp_insert_user(['user_login' => $name, 'user_pass' => "$name-password", 'user_email' => $argv[2]]);
    echo $name, ' ', get_password_reset_key(get_user_by('login', $name));
}
if (is_wp_error($problem)) {
    fwrite(STDERR, $problem->get_error_message());
    exit(1);
}
