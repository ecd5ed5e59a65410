exports.name = 'beside who asks';
